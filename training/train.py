"""``fastgan train`` in several processes, one per GPU (or per part of a CPU):

torchrun --nproc_per_node=4 training/train.py RECIPE --output RUN
"""

import sys

from fastgan_core.commands.main import main

if __name__ == "__main__":
    sys.argv.insert(1, "train")
    main()
