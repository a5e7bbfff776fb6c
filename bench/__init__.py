"""Measuring Laneway against plain client loops, on one simulator and one machine."""
