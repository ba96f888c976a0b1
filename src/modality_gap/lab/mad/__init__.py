"""MAD, Multimodal Attributes and Digits: handwriting with five attributes, and its captions."""

from .captions import caption_strings, check_choice, draw_captions
from .dataset import Mad, load_mad
from .factors import ATTRIBUTES, FACTORS, WORDS, check_factors
from .information import caption_information

__all__ = [
    "ATTRIBUTES",
    "FACTORS",
    "WORDS",
    "Mad",
    "caption_information",
    "caption_strings",
    "check_choice",
    "check_factors",
    "draw_captions",
    "load_mad",
]
