"""A user's own pictures as training data: `read_folder` finds and cuts out their digits, as the box would."""

from training.own_pictures.contact_sheet import save_sheet, sheet
from training.own_pictures.crops import Crops, Origin, split
from training.own_pictures.folder import init
from training.own_pictures.reading import OwnPictures, read_folder

__all__ = ["Crops", "Origin", "OwnPictures", "init", "read_folder", "save_sheet", "sheet", "split"]
