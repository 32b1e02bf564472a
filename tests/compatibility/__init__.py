"""Files of earlier versions, and what they must still give."""
