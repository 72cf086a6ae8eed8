package app

import (
	"archive/zip"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"ullim/prompts"
)

// PromptUpload says which files to upload, and where to.
type PromptUpload struct {
	Paths []string // files, or folders with everything in them
	API   string   // https://host:port
	Token string
}

// uploadTime is how long one file may take.
const uploadTime = 5 * time.Minute

// found is a file to upload, with the name that tells the prompt's: its path in the folder that was named.
type found struct{ path, name string }

// UploadPrompts uploads sound files one after the other, with a line for each, and tells how many failed. A file is the prompt of
// its name; welcome@ko-KR.wav, and ko-KR/welcome.wav of a folder, are the Korean variant of the prompt welcome. Uploaded again, a
// file replaces the one before.
func UploadPrompts(ctx context.Context, o PromptUpload, out io.Writer) (failed int, err error) {
	files, err := soundFiles(o.Paths)
	if err != nil {
		return 0, err
	}
	if len(files) == 0 {
		return 0, errors.New("no sound files are there (.wav, .mp3, .ogg, .flac)")
	}
	for i, f := range files {
		status, err := o.upload(ctx, f)
		if ctx.Err() != nil {
			return failed, ctx.Err()
		}
		if err != nil {
			failed++
			status = "FAILED: " + err.Error()
		}
		fmt.Fprintf(out, "[%d/%d] %s: %s\n", i+1, len(files), f.path, status)
	}
	fmt.Fprintf(out, "%d uploaded, %d failed\n", len(files)-failed, failed)
	return failed, nil
}

// soundFiles finds the files, in order.
func soundFiles(paths []string) ([]found, error) {
	var out []found
	for _, p := range paths {
		info, err := os.Stat(p)
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			out = append(out, found{p, filepath.Base(p)})
			continue
		}
		err = filepath.WalkDir(p, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			hidden := strings.HasPrefix(d.Name(), ".") && path != p
			switch {
			case hidden && d.IsDir():
				return fs.SkipDir
			case hidden || !d.Type().IsRegular() || !slices.Contains([]string{".wav", ".mp3", ".ogg", ".flac"}, strings.ToLower(filepath.Ext(path))):
				return nil
			}
			name, err := filepath.Rel(p, path)
			out = append(out, found{path, filepath.ToSlash(name)})
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// upload sends one file as a bulk of one, so that names and languages are read as there.
func (o PromptUpload) upload(ctx context.Context, f found) (status string, err error) {
	in, err := os.Open(f.path)
	if err != nil {
		return "", err
	}
	defer in.Close()
	var body bytes.Buffer
	z := zip.NewWriter(&body)
	w, err := z.CreateHeader(&zip.FileHeader{Name: f.name, Method: zip.Store})
	if err != nil {
		return "", err
	}
	n, err := io.Copy(w, io.LimitReader(in, prompts.MaxUpload+1))
	switch {
	case err != nil:
		return "", err
	case n > prompts.MaxUpload:
		return "", fmt.Errorf("has more than %d bytes", prompts.MaxUpload)
	}
	if err = z.Close(); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, uploadTime)
	defer cancel()
	url := strings.TrimSuffix(o.API, "/") + "/admin/v1/prompts-bulk"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, &body)
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/zip")
	req.Header.Set("Authorization", "Bearer "+o.Token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s: %.300s", resp.Status, answer)
	}
	var got struct {
		Results []struct{ Status, Error, Name, Language string }
	}
	if err = json.Unmarshal(answer, &got); err != nil || len(got.Results) != 1 {
		return "", fmt.Errorf("an answer that is not ullim's: %.300s", answer)
	}
	r := got.Results[0]
	if r.Status == "FAILED" {
		return "", errors.New(cmp.Or(r.Error, "the file was refused"))
	}
	return strings.TrimSpace(fmt.Sprintf("%s %s %s", strings.ToLower(r.Status), r.Name, r.Language)), nil
}
