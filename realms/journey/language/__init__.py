"""The journey language: from the text of a template to its plan, with every fault at once."""
