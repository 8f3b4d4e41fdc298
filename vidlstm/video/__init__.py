"""The only room that opens a media file: readers, a writer, and which frames to take."""
