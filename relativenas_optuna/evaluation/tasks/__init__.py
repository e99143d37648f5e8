"""Networks on backbones for detection, segmentation and keypoints: a folder for each task."""
