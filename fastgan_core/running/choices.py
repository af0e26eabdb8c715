"""What a user may choose a network to be run with; known without importing torch."""

BACKENDS = ("auto", "torch", "onnxruntime", "openvino")
PRECISIONS = ("auto", "fp32", "fp16", "bf16")
