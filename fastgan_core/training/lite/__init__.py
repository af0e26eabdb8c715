"""Training of the network `lite`: clips drawn on the device, a budget in minutes, the critics of the paper after it."""
