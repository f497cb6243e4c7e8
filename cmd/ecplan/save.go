package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/google/renameio/v2/maybe"
)

// saveFile writes a file that the user named, all of it or nothing; what says what it holds.
func saveFile(what, file string, data []byte, perm fs.FileMode) error {
	return unsaved(what, file, maybe.WriteFile(file, data, perm))
}

// unsaved says why a file could not be written, by the name that the user gave it: the
// error itself may name one that was to take its place.
func unsaved(what, file string, err error) error {
	if err == nil {
		return nil
	}
	var path *fs.PathError
	var link *os.LinkError
	switch info, is := os.Stat(file); {
	case is == nil && info.IsDir():
		err = errors.New("it is a folder")
	case errors.As(err, &path):
		err = path.Err
	case errors.As(err, &link):
		err = link.Err
	}
	return fmt.Errorf("%s can't be saved as %s: %w. Name a file in a folder that is there and may be written to", what, file, err)
}
