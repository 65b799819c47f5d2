"""The formulas insights rest on, over numpy arrays without missing values."""
