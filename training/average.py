"""Average checkpoints of one variant, weight by weight (Wortsman et al. 2022, "model soups").

python training/average.py --output average.safetensors runs/a/weights.safetensors runs/b/weights.safetensors

It helps where the runs began from the same weights: what they learnt in common stays, what each fitted alone is halved.

``--bias`` is added to the logits. The losses make an object's odds too high (the balance of equation (2), the Dice
loss), and over a clip what a mask takes of the background confirms itself; somewhat lower odds hold longer.
"""

import argparse
from pathlib import Path

from fastgan_core.errors import FastganError, in_words
from fastgan_core.running.weights import load_weights, save_weights


def average(files: list[Path], output: Path, bias: float = 0.0) -> None:
    """Write the mean of checkpoints; their recipes are stored in it, the first one's licence and input size hold.

    ``bias`` is added to the logits, log-odds of an object.

    Raises:
        FastganError: a file cannot be read, or the variants differ.
    """
    loaded = [load_weights(file) for file in files]
    model, info = loaded[0]
    for _, other in loaded[1:]:
        if other.variant != info.variant:
            raise FastganError(
                f"{other.path} is a {other.variant} and {info.path} a {info.variant}; average one variant"
            )
    states = [model.state_dict() for model, _ in loaded]
    mean = {k: sum(s[k] for s in states) / len(states) for k, v in states[0].items() if v.is_floating_point()}
    (last,) = (name for name in mean if name.split(".")[-2:] == ["predict", "bias"])
    mean[last] = mean[last] + bias
    model.load_state_dict(states[0] | mean)
    recipe = {"average_of": [other.recipe for _, other in loaded]} | ({"bias": bias} if bias else {})
    save_weights(output, model, info.input_size, recipe, info.licence)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--bias", type=float, default=0.0, help="added to the logits: log-odds of an object")
    args = parser.parse_args()
    with in_words("average"):
        average(args.files, args.output, args.bias)


if __name__ == "__main__":
    main()
