"""The paper's network as one step of the tracker: tensors in, tensors out, for every runtime."""

from torch import nn

from fastgan_core.model.encoder import CHANNELS
from fastgan_core.model.regressor import STRIDE, WIDTHS, FaSTGAN


class PaperStep(nn.Module):
    """One step of :class:`FaSTGAN` that also returns the encoder's features.

    Both streams have one set of weights, so the features of a reference's image and mask, which
    ``encode_reference`` gives in PyTorch, are those of a step whose ``previous`` is the reference mask.
    """

    def __init__(self, model: FaSTGAN):
        super().__init__()
        self.model = model

    def forward(self, image, previous, reference, memory):
        features = self.model.encoder(image, previous)
        logits, memory = self.model.decoder(features, reference, memory)
        return self.model.enlarged(logits, image), memory, features[-1]

    @staticmethod
    def ends(variant: str, objects, rows, columns) -> tuple[dict[str, tuple], dict[str, tuple]]:
        """Shapes of inputs and outputs by name, for a number of objects and of rows and columns of 32 pixels."""
        image = STRIDE * rows, STRIDE * columns
        inputs = {
            "image": (1, 3, *image),
            "previous": (objects, 1, *image),
            "reference": (objects, CHANNELS[variant][-1], rows, columns),
            "memory": (objects, WIDTHS[variant][0], 8 * rows, 8 * columns),
        }
        outputs = {"logits": "previous", "next_memory": "memory", "features": "reference"}
        return inputs, {name: inputs[same] for name, same in outputs.items()}
