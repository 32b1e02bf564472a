"""Files of compressed images: header, chunks, sums."""
