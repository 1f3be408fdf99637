"""The part of trainyard that every image carries: standard library only, plus toolkits imported where they are used."""
