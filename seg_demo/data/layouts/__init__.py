"""One file per layout: `SHAPE`, what its folder looks like, and `find`, which lists the files of a tree that has it."""
