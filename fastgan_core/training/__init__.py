"""Training of the regressor and its critics: recipes, stages and the loop."""
