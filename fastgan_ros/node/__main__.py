"""``python -m fastgan_ros.node``: the tracker, as ``ros2 run fastgan_ros tracker`` starts it."""

import sys

from fastgan_ros.node.tracker_node import main

sys.exit(main())
