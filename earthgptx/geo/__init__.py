"""Scenes of any size on the map: windows over them, regions in, answers out as vector files."""
