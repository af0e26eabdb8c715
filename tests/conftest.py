"""For all tests, before torch is imported: its threads leave the cores to the other processes of a test."""

from fastgan_core.threads import sleep_while_waiting

sleep_while_waiting()
