"""The paper's networks. Stateless: what lasts from frame to frame is the Tracker's."""

from fastgan_core.model.critics import CRITIC_STRIDE, PatchCritic
from fastgan_core.model.regressor import STRIDE, VARIANTS, FaSTGAN, Variant

__all__ = ["CRITIC_STRIDE", "STRIDE", "VARIANTS", "FaSTGAN", "PatchCritic", "Variant"]
