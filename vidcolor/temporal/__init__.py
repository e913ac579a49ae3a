"""Everything that looks across time: shots, motion, the smoother. Frames in, frames out, no files."""
