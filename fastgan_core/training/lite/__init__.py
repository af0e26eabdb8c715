"""Training of the network `lite`: clips drawn on the device, all objects of a clip at once, a budget in minutes."""
