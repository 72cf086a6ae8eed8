package rest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"ullim/internal/errs"
	"ullim/internal/identity"
	"ullim/internal/resource"
)

// maxDepth is how deep a JSON body may nest.
const maxDepth = 32

// binder fills one type of request struct.
type binder struct {
	t       reflect.Type
	path    []binding
	query   []binding
	hasBody bool
}

// binding is a field that comes from a path label or a query parameter.
type binding struct {
	index int
	name  string
	ref   resource.Kind
}

func newBinder(t reflect.Type, labels []string) (*binder, error) {
	b := &binder{t: t}
	var bound []string
	for i := range t.NumField() {
		f := t.Field(i)
		ref := resource.Kind(f.Tag.Get("ref"))
		switch path, query := f.Tag.Get("path"), f.Tag.Get("query"); {
		case (path != "" || query != "") && f.Tag.Get("json") != "-":
			return b, fmt.Errorf(`%s needs json:"-"`, f.Name)
		case path != "":
			if f.Type.Kind() != reflect.String {
				return b, fmt.Errorf("label %s must be a string", f.Name)
			}
			b.path = append(b.path, binding{i, path, ref})
			bound = append(bound, path)
		case query != "":
			if !settable(f.Type) {
				return b, fmt.Errorf("query parameter %s has a type that is not supported", f.Name)
			}
			b.query = append(b.query, binding{i, query, ref})
		case f.Tag.Get("json") != "-":
			b.hasBody = true
		}
	}
	slices.Sort(bound)
	if want := slices.Sorted(slices.Values(labels)); !slices.Equal(bound, want) {
		return b, fmt.Errorf("path has labels %v, the request struct %v", want, bound)
	}
	return b, nil
}

func settable(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.String, reflect.Int, reflect.Bool:
		return true
	case reflect.Slice:
		return t.Elem().Kind() == reflect.String
	default:
		return false
	}
}

// decode makes the request struct of a request.
func (b *binder) decode(r *http.Request, labels map[string]string, instanceID string, most int64, strict bool) (any, error) {
	ptr := reflect.New(b.t)
	v := ptr.Elem()
	for _, p := range b.path {
		text, err := resolve(p.name, p.ref, instanceID, labels[p.name])
		if err != nil {
			return nil, err
		}
		v.Field(p.index).SetString(text)
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, errs.New(errs.Invalid, "the query string cannot be read")
	}
	for _, q := range b.query {
		values := query[q.name]
		if len(values) == 0 {
			continue
		}
		if err = setQuery(v.Field(q.index), q, values, instanceID); err != nil {
			return nil, err
		}
	}
	if b.hasBody {
		if err = readBody(r, ptr.Interface(), most, strict); err != nil {
			return nil, err
		}
		if err = (checker{instanceID}).value("", v); err != nil {
			return nil, err
		}
	}
	return ptr.Interface(), nil
}

func resolve(field string, ref resource.Kind, instanceID, text string) (string, error) {
	if !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
		return "", errs.Field(field, "must be text without control characters")
	}
	if ref == "" {
		return text, nil
	}
	return ResolveRef(instanceID, ref, text)
}

func setQuery(f reflect.Value, q binding, values []string, instanceID string) error {
	if len(values) > 1 && f.Kind() != reflect.Slice {
		return errs.Field(q.name, "must be given once")
	}
	for _, value := range values {
		text, err := resolve(q.name, q.ref, instanceID, value)
		if err != nil {
			return err
		}
		switch f.Kind() { //nolint:exhaustive // settable has checked
		case reflect.Int:
			n, nerr := strconv.ParseInt(text, 10, 32)
			if nerr != nil {
				return errs.Field(q.name, "must be a whole number")
			}
			f.SetInt(n)
		case reflect.Bool:
			flag, berr := strconv.ParseBool(text)
			if berr != nil {
				return errs.Field(q.name, "must be true or false")
			}
			f.SetBool(flag)
		case reflect.Slice:
			f.Set(reflect.Append(f, reflect.ValueOf(text).Convert(f.Type().Elem())))
		default:
			f.SetString(text)
		}
	}
	return nil
}

// readBody reads a JSON object of bounded size and depth. An empty body is an empty object.
func readBody(r *http.Request, into any, most int64, strict bool) error {
	b, err := io.ReadAll(io.LimitReader(r.Body, most+1))
	if err != nil {
		return errs.Wrap(err, errs.InvalidRequest, "the body cannot be read")
	}
	if int64(len(b)) > most {
		return errs.Wrap(identity.ErrTooLarge, errs.Invalid, "the body must have at most %d bytes", most)
	}
	if len(bytes.TrimSpace(b)) == 0 {
		return nil
	}
	if ct := r.Header.Get("Content-Type"); ct != "" {
		// A browser sends only a few media types without asking first; JSON is not among them.
		if mt, _, merr := mime.ParseMediaType(ct); merr != nil || !strings.Contains(mt, "json") {
			return serialization(errors.New("the Content-Type must be application/json"))
		}
	}
	if !utf8.Valid(b) {
		return serialization(errors.New("the body is not UTF-8"))
	}
	if err = checkDepth(b, maxDepth); err != nil {
		return serialization(err)
	}
	d := json.NewDecoder(bytes.NewReader(b))
	if strict {
		d.DisallowUnknownFields()
	}
	if err = d.Decode(into); err != nil {
		return serialization(err)
	}
	if _, err = d.Token(); !errors.Is(err, io.EOF) {
		return serialization(errors.New("something follows the JSON object"))
	}
	return nil
}

func serialization(err error) error {
	text := err.Error()
	if t, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		text = fmt.Sprintf("%s must be of another type than %s", t.Field, t.Value)
		if t.Field == "" {
			text = "the body must be a JSON object"
		}
	}
	return &Fault{
		Status: http.StatusBadRequest, Code: "SerializationException",
		Message: strings.TrimPrefix(text, "json: "), Err: err,
	}
}

// checkDepth counts brackets outside strings, before anything is built of them.
func checkDepth(b []byte, most int) error {
	depth, inString := 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{' || c == '[':
			if depth++; depth > most {
				return fmt.Errorf("the body nests deeper than %d", most)
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return nil
}
