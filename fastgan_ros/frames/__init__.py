"""The way of a camera's frame through the node, and the threads that it goes through: received, run, published.

Nothing queues. May import messages. Knows no services, parameters or lifecycle; the node wires it to them.
"""
