// The implementation of notes, tiles and proofs that these formats come from (golang.org/x/mod/sumdb)
// verifies our log: the checkpoint's signature, our proofs, and the proofs it makes itself from our tiles.
package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type question struct {
	Folder     string
	Vkey       string
	Inclusions []struct {
		Index int64
		Leaf  string
		Proof []string
	}
	Consistencies []struct {
		First     int64
		FirstRoot string
		Proof     []string
	}
}

type answer struct {
	Origin        string
	Size          int64
	Root          string
	Inclusions    []bool
	Consistencies []bool
	OwnProofs     [][]string
}

// folder reads tiles of height 8 by the paths of C2SP tlog-tiles, which leave the height out.
type folder string

func (f folder) Height() int { return 8 }

func (f folder) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	var contents [][]byte
	for _, tile := range tiles {
		path := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
		content, err := os.ReadFile(filepath.Join(string(f), path))
		if err != nil {
			return nil, err
		}
		contents = append(contents, content)
	}
	return contents, nil
}

func (f folder) SaveTiles(tiles []tlog.Tile, data [][]byte) {}

func main() {
	var asked question
	check(json.NewDecoder(os.Stdin).Decode(&asked))
	verifier, err := note.NewVerifier(asked.Vkey)
	check(err)
	text, err := os.ReadFile(filepath.Join(asked.Folder, "checkpoint"))
	check(err)
	opened, err := note.Open(text, note.VerifierList(verifier))
	check(err)
	lines := strings.Split(opened.Text, "\n")
	size, err := strconv.ParseInt(lines[1], 10, 64)
	check(err)
	root := hash(lines[2])
	reader := tlog.TileHashReader(tlog.Tree{N: size, Hash: root}, folder(asked.Folder))
	result := answer{Origin: lines[0], Size: size, Root: lines[2]}
	for _, one := range asked.Inclusions {
		err := tlog.CheckRecord(hashes(one.Proof), size, root, one.Index, hash(one.Leaf))
		result.Inclusions = append(result.Inclusions, err == nil)
		own, err := tlog.ProveRecord(size, one.Index, reader)
		check(err)
		result.OwnProofs = append(result.OwnProofs, texts(own))
	}
	for _, one := range asked.Consistencies {
		err := tlog.CheckTree(hashes(one.Proof), size, root, one.First, hash(one.FirstRoot))
		result.Consistencies = append(result.Consistencies, err == nil)
		own, err := tlog.ProveTree(size, one.First, reader)
		check(err)
		result.OwnProofs = append(result.OwnProofs, texts(own))
	}
	check(json.NewEncoder(os.Stdout).Encode(result))
}

func hash(text string) tlog.Hash {
	var found tlog.Hash
	decoded, err := base64.StdEncoding.DecodeString(text)
	check(err)
	if copy(found[:], decoded) != len(found) || len(decoded) != len(found) {
		check(fmt.Errorf("not a hash: %s", text))
	}
	return found
}

func hashes(texts []string) []tlog.Hash {
	var found []tlog.Hash
	for _, text := range texts {
		found = append(found, hash(text))
	}
	return found
}

func texts(hashes []tlog.Hash) []string {
	found := []string{}
	for _, one := range hashes {
		found = append(found, base64.StdEncoding.EncodeToString(one[:]))
	}
	return found
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
