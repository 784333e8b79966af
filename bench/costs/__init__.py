"""The command ``costs``: what each optimizer keeps, and its step's time beside AdamW's, in one framework."""
