"""The paper's networks. Stateless: what lasts from frame to frame is the Tracker's."""

from fastgan_core.model.regressor import STRIDE, VARIANTS, FaSTGAN, Variant

__all__ = ["STRIDE", "VARIANTS", "FaSTGAN", "Variant"]
