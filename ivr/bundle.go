package ivr

import (
	"archive/zip"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"path"
	"slices"
	"strings"

	"ullim/internal/errs"
)

// Bounds of a bundle.
const (
	MaxBundle        = 64 << 20 // bytes, packed and unpacked
	maxBundleEntries = 2000
	maxContentBytes  = 4 * MaxContent
	manifestName     = "manifest.json"
)

// Item is a flow or module on its way in or out. Content is kept byte for byte.
type Item struct {
	Name        string            `json:"Name"`
	Type        FlowType          `json:"Type"`
	Description string            `json:"Description,omitempty"`
	Status      Status            `json:"Status,omitempty"` // empty: published if it can be
	Tags        map[string]string `json:"Tags,omitempty"`
	File        string            `json:"File,omitempty"` // where it stood in a bundle
	Content     string            `json:"-"`
}

// About is what content says of itself in its Metadata, as an export of the designer does. Fields are empty where it says
// nothing.
func About(content string) (name, description string, t FlowType) {
	var top struct {
		Metadata struct {
			Name        any `json:"name"`
			Description any `json:"description"`
			Type        any `json:"type"`
		} `json:"Metadata"`
	}
	if err := json.Unmarshal([]byte(content), &top); err != nil {
		return "", "", ""
	}
	m := top.Metadata // the old designer writes it in lower case, which means the same
	name, _ = m.Name.(string)
	description, _ = m.Description.(string)
	text, _ := m.Type.(string)
	return name, description, typeNamed(text)
}

// typeNamed is a flow type by its name in the API, or by the one that the designer writes; empty if it is none.
func typeNamed(text string) FlowType {
	plain := strings.ToLower(strings.NewReplacer("_", "", "-", "", " ", "").Replace(text))
	for _, t := range FlowTypes() {
		if plain == strings.ToLower(strings.ReplaceAll(string(t), "_", "")) {
			return t
		}
	}
	switch plain {
	case "inbound", "inboundflow", "contactflows":
		return TypeInbound
	case "module", "modules", "flowmodule", "contactflowmodule", "flowmodules", "contactflowmodules":
		return TypeModule
	}
	return ""
}

// FromFile makes an item of a file: its name and type are what the content says of itself, else the name of the file and
// of its folder ("CUSTOMER_QUEUE/Music.json"). The type is empty when nothing tells it.
func FromFile(file, content string) Item {
	name, description, t := About(content)
	if name == "" {
		name = strings.TrimSuffix(path.Base(file), path.Ext(file))
		if plain, err := url.PathUnescape(name); err == nil {
			name = plain
		}
	}
	if t == "" {
		t = typeNamed(path.Base(path.Dir(file)))
	}
	return Item{Name: name, Type: t, Description: description, File: file, Content: content}
}

// ReadBundle reads a zip of flows: what WriteBundle has written, or files of exported flows in any folders.
func ReadBundle(r io.ReaderAt, size int64) ([]Item, error) {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return nil, errs.Wrap(err, errs.Invalid, "the body is not a zip file")
	}
	if len(z.File) > maxBundleEntries {
		return nil, errs.New(errs.Limit, "the zip file has %d entries, at most %d are allowed", len(z.File), maxBundleEntries)
	}
	var items []Item
	manifest := make(map[string]Item)
	left := int64(MaxBundle)
	for _, f := range z.File {
		base := path.Base(f.Name)
		if f.FileInfo().IsDir() || !strings.EqualFold(path.Ext(base), ".json") || strings.HasPrefix(base, ".") ||
			strings.HasPrefix(f.Name, "__MACOSX/") {
			continue
		}
		text, err := unpack(f, &left)
		if err != nil {
			return nil, err
		}
		if f.Name == manifestName {
			var list []Item
			if err := json.Unmarshal([]byte(text), &list); err != nil {
				return nil, errs.Field(manifestName, "is not one of ours: %v", err)
			}
			for _, m := range list {
				manifest[m.File] = m
			}
			continue
		}
		items = append(items, FromFile(f.Name, text))
	}
	for i := range items {
		if m, ok := manifest[items[i].File]; ok {
			m.Content = items[i].Content
			items[i] = m
		}
	}
	return items, nil
}

// unpack reads one entry; left is what may still be read in all.
func unpack(f *zip.File, left *int64) (string, error) {
	r, err := f.Open()
	if err != nil {
		return "", errs.Wrap(err, errs.Invalid, "%.200q cannot be unpacked", f.Name)
	}
	defer r.Close()
	limit := min(*left, maxContentBytes)
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return "", errs.Wrap(err, errs.Invalid, "%.200q cannot be unpacked", f.Name)
	}
	if int64(len(b)) > limit {
		return "", errs.New(errs.Limit, "%.200q is too large, or the zip file is: at most %d bytes a flow and %d in all", f.Name,
			maxContentBytes, MaxBundle)
	}
	*left -= int64(len(b))
	return string(b), nil
}

// WriteBundle writes a zip of flows: a file each, in a folder of its type, and a manifest.
func WriteBundle(w io.Writer, items []Item) error {
	z := zip.NewWriter(w)
	list := slices.Clone(items)
	for i := range list {
		list[i].File = fmt.Sprintf("%s/%s.json", list[i].Type, url.PathEscape(list[i].Name))
		if err := writeEntry(z, list[i].File, []byte(list[i].Content)); err != nil {
			return err
		}
	}
	manifest, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		return fmt.Errorf("ivr: manifest: %w", err)
	}
	if err := writeEntry(z, manifestName, manifest); err != nil {
		return err
	}
	return z.Close()
}

func writeEntry(z *zip.Writer, name string, data []byte) error {
	f, err := z.Create(name)
	if err != nil {
		return fmt.Errorf("ivr: bundle: %w", err)
	}
	_, err = f.Write(data)
	return err
}
