"""MAD, Multimodal Attributes and Digits: handwriting with five attributes, and its captions."""

from .captions import caption_strings, caption_words, check_choice, draw_captions
from .dataset import Mad, load_mad
from .factors import ATTRIBUTES, FACTORS, WORDS, check_factors
from .information import caption_information
from .settings import MadSettings

__all__ = [
    "ATTRIBUTES",
    "FACTORS",
    "WORDS",
    "Mad",
    "MadSettings",
    "caption_information",
    "caption_strings",
    "caption_words",
    "check_choice",
    "check_factors",
    "draw_captions",
    "load_mad",
]
