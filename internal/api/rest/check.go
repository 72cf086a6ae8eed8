package rest

import (
	"fmt"
	"reflect"
	"strings"
	"unicode"

	"ullim/internal/errs"
	"ullim/internal/resource"
)

// checker walks a decoded body: required members are there, strings hold no control characters, references become
// bare ids.
type checker struct{ instanceID string }

func (c checker) value(path string, v reflect.Value) error {
	switch v.Kind() { //nolint:exhaustive // the rest needs no check
	case reflect.Pointer:
		if !v.IsNil() {
			return c.value(path, v.Elem())
		}
	case reflect.Struct:
		return c.fields(path, v)
	case reflect.Slice:
		for i := range v.Len() {
			if err := c.value(fmt.Sprintf("%s[%d]", path, i), v.Index(i)); err != nil {
				return err
			}
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			key := it.Key().String()
			if err := checkText(path, key); err != nil {
				return err
			}
			if err := c.value(path+"."+key, it.Value()); err != nil {
				return err
			}
		}
	case reflect.String:
		return checkText(path, v.String())
	}
	return nil
}

func (c checker) fields(path string, v reflect.Value) error {
	t := v.Type()
	if t == reflect.TypeFor[Time]() {
		return nil
	}
	for i := range t.NumField() {
		f := t.Field(i)
		tag := f.Tag.Get("json")
		name, opts, _ := strings.Cut(tag, ",")
		if tag == "-" || !f.IsExported() {
			continue
		}
		at := name
		if path != "" {
			at = path + "." + name
		}
		field := v.Field(i)
		if u, ok := reflect.TypeAssert[Unsupported](field); ok {
			if u.set {
				return errs.Field(at, "is not supported")
			}
			continue
		}
		if !strings.Contains(opts, "omit") && missing(field) {
			return errs.Field(at, "is required")
		}
		if err := c.value(at, field); err != nil {
			return err
		}
		if ref := resource.Kind(f.Tag.Get("ref")); ref != "" {
			if err := c.refs(at, ref, field); err != nil {
				return err
			}
		}
	}
	return nil
}

func missing(v reflect.Value) bool {
	switch v.Kind() { //nolint:exhaustive // numbers and booleans have a zero that may be meant
	case reflect.String, reflect.Slice, reflect.Map:
		return v.Len() == 0
	case reflect.Pointer:
		return v.IsNil()
	default:
		return false
	}
}

// refs replaces ARNs by ids.
func (c checker) refs(path string, kind resource.Kind, v reflect.Value) error {
	switch v.Kind() { //nolint:exhaustive // strings only
	case reflect.Pointer:
		if !v.IsNil() {
			return c.refs(path, kind, v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			if err := c.refs(fmt.Sprintf("%s[%d]", path, i), kind, v.Index(i)); err != nil {
				return err
			}
		}
	case reflect.String:
		if v.String() == "" {
			return nil
		}
		id, err := ResolveRef(c.instanceID, kind, v.String())
		if errs.Is(err, errs.Invalid) {
			return errs.Field(path, "must be an id or an ARN")
		}
		if err != nil {
			return err
		}
		v.SetString(id)
	}
	return nil
}

// checkText refuses control characters: they would end up in logs, terminals and SIP headers. Names are one line;
// elsewhere lines and tabs are fine.
func checkText(path, s string) error {
	oneLine := strings.HasSuffix(path, "Name") || strings.HasSuffix(path, "Username")
	if strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) && (oneLine || r != '\n' && r != '\r' && r != '\t')
	}) {
		return errs.Field(path, "must not hold control characters")
	}
	return nil
}
