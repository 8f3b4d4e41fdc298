"""The only room that opens a media file: readers, a writer, and which frames to take."""

import cv2  # noqa: F401 - before PyAV: both bring libraries of X, and after PyAV's no window of OpenCV opens
