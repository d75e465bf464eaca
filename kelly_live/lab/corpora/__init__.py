"""The data of the laboratory: manifests, clips, pieces, ratings, rendering and background sounds."""
