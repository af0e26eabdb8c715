"""The lifecycle node: parameters, transitions, services, references, diagnostics, and what wires them together.

May import frames, messages and programs; imported by none.
"""
