"""What runs a network and on what: PyTorch, ONNX Runtime, OpenVINO; device, precision, threads; weights and export.

May import model. Imported by tracking, evaluation, training and commands. Nothing here reads CUDA or the environment
at import.
"""
