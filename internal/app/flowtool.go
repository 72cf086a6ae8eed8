package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"ullim/ivr"
)

// FlowCheck is what `ullim flow check` is asked to do.
type FlowCheck struct {
	Files    []string
	Type     string // of all files; empty: what each says of itself, its folder's name, or CONTACT_FLOW
	Language string // en or ko
	JSON     bool
	API      string // base URL of a running ullim, to check references too; empty: offline
	Token    string // for API
	Strict   bool   // warnings count as errors
}

// checkedFile is the outcome for one file.
type checkedFile struct {
	File     string       `json:"File"`
	Name     string       `json:"Name"`
	Type     ivr.FlowType `json:"Type"`
	Errors   int          `json:"Errors"`
	Warnings int          `json:"Warnings"`
	ivr.Report
}

// CheckFlows checks files and writes what it finds. It gives how many errors there are, of all files.
func CheckFlows(ctx context.Context, o FlowCheck, out io.Writer) (int, error) {
	failed := 0
	all := []checkedFile{}
	for _, file := range o.Files {
		c, err := o.check(ctx, file)
		if err != nil {
			return failed, err
		}
		failed += c.Errors
		if o.Strict {
			failed += c.Warnings
		}
		all = append(all, *c)
		if !o.JSON {
			c.print(out, o.Language)
		}
	}
	if o.JSON {
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		return failed, enc.Encode(all)
	}
	return failed, nil
}

// maxFlowFile is more than any flow can have.
const maxFlowFile = 8 * ivr.MaxContent

func readFlowFile(path string) (string, error) {
	f, err := os.Open(path) //nolint:gosec // the user names the file
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFlowFile+1))
	if err != nil {
		return "", err
	}
	if len(b) > maxFlowFile {
		return "", fmt.Errorf("%s is too large for a flow", path)
	}
	return string(b), nil
}

func (o FlowCheck) check(ctx context.Context, file string) (*checkedFile, error) {
	content, err := readFlowFile(file)
	if err != nil {
		return nil, err
	}
	item := ivr.FromFile(filepath.ToSlash(file), content)
	c := &checkedFile{File: file, Name: item.Name, Type: item.Type}
	if o.Type != "" {
		c.Type = ivr.FlowType(o.Type)
	}
	if c.Type == "" {
		c.Type = ivr.TypeInbound
	}
	if err = c.Type.Validate(); err != nil {
		return nil, err
	}
	if o.API == "" {
		converted, lost, _, convErr := ivr.FromDesigner(content)
		if convErr != nil {
			return nil, convErr
		}
		c.Report = *ivr.Inspect(converted, c.Type, nil)
		c.Converted(lost)
		c.Say(o.Language)
	} else if err = o.ask(ctx, content, c); err != nil {
		return nil, err
	}
	if c.Findings == nil {
		c.Findings = []ivr.Finding{}
	}
	c.Errors, c.Warnings = c.Count(ivr.Error), c.Count(ivr.Warning)
	return c, nil
}

// ask has a running ullim check the content, which knows its queues, prompts, hours and flows.
func (o FlowCheck) ask(ctx context.Context, content string, c *checkedFile) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	body, err := json.Marshal(map[string]string{"Type": string(c.Type), "Content": content, "Language": o.Language})
	if err != nil {
		return err
	}
	url := strings.TrimSuffix(o.API, "/") + "/admin/v1/flows/check"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+o.Token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 64<<20))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %.500s", url, resp.Status, answer)
	}
	return json.Unmarshal(answer, &c.Report)
}

func (c *checkedFile) print(out io.Writer, language string) {
	korean := strings.HasPrefix(strings.ToLower(language), "ko")
	for _, f := range c.Findings {
		severity, action := string(f.Severity), "action"
		if korean {
			severity, action = map[ivr.Severity]string{ivr.Error: "오류", ivr.Warning: "경고"}[f.Severity], "동작"
		}
		where := f.Field
		if f.ActionID != "" {
			where = fmt.Sprintf("%s %q (%s): %s", action, f.ActionID, f.Action, f.Field)
		}
		fmt.Fprintf(out, "%s: %s: %s: %s [%s]\n", c.File, severity, where, f.Message, f.Rule)
		if f.Fix != "" {
			fmt.Fprintf(out, "    -> %s\n", f.Fix)
		}
	}
	if korean {
		fmt.Fprintf(out, "%s: %s, 오류 %d개, 경고 %d개\n", c.File, c.Type, c.Errors, c.Warnings)
		return
	}
	fmt.Fprintf(out, "%s: %s, %d errors, %d warnings\n", c.File, c.Type, c.Errors, c.Warnings)
}

// DiffFlows writes what differs between two files, for people or as JSON. It tells whether the actions differ.
func DiffFlows(before, after string, asJSON bool, out io.Writer) (bool, error) {
	a, errA := readFlowFile(before)
	b, errB := readFlowFile(after)
	if err := errors.Join(errA, errB); err != nil {
		return false, err
	}
	d, err := ivr.DiffOf(a, b)
	if err != nil {
		return false, err
	}
	if asJSON {
		enc := json.NewEncoder(out)
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		return !d.SameActions, enc.Encode(d)
	}
	_, err = io.WriteString(out, d.Text())
	return !d.SameActions, err
}
