# make demo    environment, installation, then the node on a moving scene; pictures in demo_output/
# make test    style check and all tests
# make window  an OpenCV with windows, for select_reference (its libraries need a desktop)
# Options: PYTHON=python3.12, VIDEO=clip.mp4 MASK=first.png

PYTHON ?= python3
# One environment per Python, so that PYTHON=python3.12 does not disturb the default one.
VENV ?= .venv$(if $(filter-out python3,$(PYTHON)),-$(notdir $(PYTHON)))
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# The environment has a ROS of its own from PyPI; a sourced one must not leak into it.
unexport PYTHONPATH LD_LIBRARY_PATH AMENT_PREFIX_PATH COLCON_PREFIX_PATH ROS_DISTRO ROS_VERSION
unexport RMW_IMPLEMENTATION FASTRTPS_DEFAULT_PROFILES_FILE FASTDDS_DEFAULT_PROFILES_FILE ROS_DISCOVERY_SERVER PYTHONHOME

.PHONY: demo test install window clean

demo: $(READY)
	$(BIN)/python -m fastgan_ros.tools.demo $(if $(VIDEO),--video "$(VIDEO)") $(if $(MASK),--mask "$(MASK)")

test: $(READY)
	$(BIN)/ruff check .
	$(BIN)/python -m pytest

install: $(READY)

# The same files in the same place, so the one without windows must go first.
window: $(READY)
	$(BIN)/python -m pip uninstall -y opencv-python-headless
	$(BIN)/python -m pip install --force-reinstall --no-deps "opencv-python>=4.8"
	@$(BIN)/python -c "import cv2" || { echo "Libraries of the desktop are missing; run: sudo apt install libgl1 libglib2.0-0 libxcb1"; exit 1; }

$(READY): requirements.txt requirements-dev.txt setup.py $(wildcard fastgan_interfaces/*.* fastgan_interfaces/*/*)
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 13))' || \
	  { echo "Python 3.10, 3.11 or 3.12 is needed (rclpy's wheels); try: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@command -v g++ >/dev/null || { echo "No C++ compiler; run: sudo apt install g++ python3-dev"; exit 1; }
	@$(PYTHON) -c 'import os, sys, sysconfig as s; sys.exit(not os.path.exists(s.get_path("include") + "/Python.h"))' || \
	  { echo "No Python headers; run: sudo apt install python3-dev"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "No venv module; run: sudo apt install python3-venv"; exit 1; }
	$(BIN)/python -m pip install --upgrade pip
	$(BIN)/python -m pip install -r requirements-dev.txt
	$(BIN)/python -m pip install --no-build-isolation ./fastgan_interfaces
	$(BIN)/python -m pip install --no-build-isolation --no-deps --editable .
	@touch $@

clean:
	rm -rf $(VENV) demo_output
