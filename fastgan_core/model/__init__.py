"""The networks. Stateless: what lasts from frame to frame is the Tracker's.

Imports nothing of ours but errors; imported by running, tracking, training and evaluation.
"""

from fastgan_core.model.critics import CRITIC_STRIDE, PatchCritic
from fastgan_core.model.lite import Lite
from fastgan_core.model.regressor import STRIDE, FaSTGAN
from fastgan_core.model.variants import VARIANTS, Variant, build

__all__ = ["CRITIC_STRIDE", "STRIDE", "VARIANTS", "FaSTGAN", "Lite", "PatchCritic", "Variant", "build"]
