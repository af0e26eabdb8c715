"""The tracker and all state of a video: a reference once, then a label image for every frame.

``tracker`` has the calls; ``stepper`` runs a frame on a device; ``step`` is its arithmetic; ``network`` says what is
asked of a network, of which ``paper_network`` and ``lite_network`` keep the state. May import model and running. Knows
no files but those with weights. Imported by evaluation, training, commands and fastgan_ros.
"""
