"""Training of the regressor: recipes and the loop."""
