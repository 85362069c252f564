"""Rows of digits, made up: stroke model, rows, paper, light, camera; scenes with their truth."""
