package admin

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path"
	"strings"
	"time"

	"ullim/internal/api/rest"
	"ullim/internal/errs"
	"ullim/internal/identity"
	"ullim/internal/resource"
	"ullim/prompts"
)

// Limits of a bulk upload.
const (
	maxBulk      = 256 << 20
	maxBulkFiles = 500
)

type bulkResult struct {
	File     string `json:"File"`
	PromptID string `json:"PromptId,omitempty"`
	Name     string `json:"Name,omitempty"`
	Language string `json:"Language,omitempty"`
	Status   string `json:"Status"` // CREATED, REPLACED, UNCHANGED, FAILED
	Error    string `json:"Error,omitempty"`
}

type bulkOutput struct {
	Results []bulkResult `json:"Results"`
	Failed  int          `json:"Failed"`
}

// uploadPrompts makes prompts of the files in a zip, one by one: a file that is refused is told and changes nothing, and the
// others go on. Welcome.wav becomes the prompt Welcome; ko-KR/Welcome.mp3 and Welcome@ko-KR.mp3 its variant in Korean.
func (s *service) uploadPrompts(c *rest.Call, w http.ResponseWriter, r *http.Request) error {
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(transferTime))
	_ = control.SetWriteDeadline(time.Now().Add(2 * transferTime))
	archive, done, err := spool(r.Body)
	if err != nil {
		return err
	}
	defer done()
	instance, err := s.Instances.Get(r.Context(), c.Instance(), c.Instance())
	if err != nil {
		return err
	}
	out := &bulkOutput{Results: []bulkResult{}}
	for _, f := range archive.File {
		if skipped(f) {
			continue
		}
		if len(out.Results) >= maxBulkFiles {
			return errs.Field("Body", "has more than %d files; those before were taken", maxBulkFiles)
		}
		result := s.uploadOne(r.Context(), c, instance.Name, f)
		if result.Status == "FAILED" {
			out.Failed++
		}
		out.Results = append(out.Results, result)
		if r.Context().Err() != nil {
			return context.Cause(r.Context())
		}
	}
	w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(w).Encode(out)
}

// spool puts the body into a temporary file: a zip is read from its end.
func spool(body io.Reader) (*zip.Reader, func(), error) {
	f, err := os.CreateTemp("", "ullim-prompts-*.zip")
	if err != nil {
		return nil, nil, err
	}
	done := func() {
		_ = f.Close()
		_ = os.Remove(f.Name())
	}
	var entries entryCounter
	size, err := io.Copy(io.MultiWriter(f, &entries), io.LimitReader(body, maxBulk+1))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large), size > maxBulk:
		err = errs.Wrap(identity.ErrTooLarge, errs.Invalid, "the zip must have at most %d bytes", maxBulk)
	case err != nil:
		err = errs.Wrap(err, errs.InvalidRequest, "the body cannot be read")
	case entries.n > 4*maxBulkFiles: // folders and hidden files beside them
		err = errs.Field("Body", "has more than %d entries", 4*maxBulkFiles)
	default:
		var z *zip.Reader
		if z, err = zip.NewReader(f, size); err == nil {
			return z, done, nil
		}
		err = errs.Field("Body", "is not a zip file")
	}
	done()
	return nil, nil, err
}

// entryCounter counts the entries of a zip's directory by their signature, before package zip makes something of each: millions
// of empty ones fit into the largest body. What compressed data holds of them by chance does not matter.
type entryCounter struct {
	n    int
	tail []byte
}

// Write counts in p, and where it meets what came before.
func (e *entryCounter) Write(p []byte) (int, error) {
	signature := []byte("PK\x01\x02")
	seam := append(e.tail, p[:min(3, len(p))]...)
	e.n += bytes.Count(seam, signature) + bytes.Count(p, signature)
	if len(p) >= 3 {
		seam = p
	}
	e.tail = append([]byte(nil), seam[max(0, len(seam)-3):]...)
	return len(p), nil
}

// skipped are folders, and what systems hide in archives.
func skipped(f *zip.File) bool {
	base := path.Base(f.Name)
	return f.FileInfo().IsDir() || strings.HasPrefix(base, ".") || strings.HasPrefix(f.Name, "__MACOSX/")
}

// promptName is the name and the language that a file's name tells.
func promptName(file string) (name, language string, err error) {
	dir, base := path.Split(strings.ReplaceAll(file, `\`, "/"))
	name = strings.TrimSpace(strings.TrimSuffix(base, path.Ext(base)))
	if before, tag, ok := strings.Cut(name, "@"); ok {
		language, err = prompts.LanguageTag(tag)
		return before, language, err
	}
	if tag, terr := prompts.LanguageTag(path.Base(dir)); terr == nil && len(strings.Split(tag, "-")[0]) == 2 { // a folder named etc is no language
		language = tag
	}
	return name, language, nil
}

func (s *service) uploadOne(ctx context.Context, c *rest.Call, alias string, f *zip.File) bulkResult {
	result := bulkResult{File: f.Name, Status: "FAILED"}
	fail := func(err error) bulkResult {
		var known *errs.Error
		if result.Error = "the file could not be stored"; errors.As(err, &known) {
			result.Error = known.Error()
		} else {
			c.Log.Error("prompt of a bulk upload", "file", f.Name, "error", err)
		}
		return result
	}
	var err error
	if result.Name, result.Language, err = promptName(f.Name); err != nil {
		return fail(err)
	}
	data, err := unpack(f)
	if err != nil {
		return fail(err)
	}
	file, err := s.PromptFiles.Check(ctx, alias, data)
	if err != nil {
		return fail(err)
	}
	p, err := s.Prompts.GetByName(ctx, c.Instance(), result.Name)
	switch {
	case errs.Is(err, errs.NotFound):
		p = &prompts.Prompt{Meta: resource.Meta{InstanceID: c.Instance(), Name: result.Name}}
		p.Put(result.Language, file.File)
		p.Key = file.Key // the only file there is: also for all other languages
		if err = s.PromptFiles.Use(ctx, c.Instance(), file, func() error { return s.Prompts.Create(ctx, p) }); err != nil {
			return fail(err)
		}
		result.Status = "CREATED"
	case err != nil:
		return fail(err)
	case p.Has(result.Language, file.SHA256):
		result.Status = "UNCHANGED"
	default:
		if err = s.useFile(ctx, c.Instance(), p.ID, result.Language, file); err != nil {
			return fail(err)
		}
		result.Status = "REPLACED"
	}
	result.PromptID = p.ID
	return result
}

// unpack reads a file of the zip, which may claim to be smaller than it is.
func unpack(f *zip.File) ([]byte, error) {
	r, err := f.Open()
	if err != nil {
		return nil, errs.Field("File", "cannot be unpacked")
	}
	defer func() { _ = r.Close() }()
	data, err := io.ReadAll(io.LimitReader(r, prompts.MaxUpload+1))
	if err != nil {
		return nil, errs.Field("File", "cannot be unpacked")
	}
	return data, nil
}
