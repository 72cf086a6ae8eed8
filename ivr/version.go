package ivr

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"ullim/internal/errs"
	"ullim/internal/resource"
)

// Version is one publication of a flow or module, kept as it was. Number is 1 for the first and is never used again.
type Version struct {
	Number      int
	Content     string
	SHA256      string // of Content, in hexadecimal
	Description string
	CreatedAt   time.Time
}

// Changes is what becomes of a flow's versions in one step with the flow: Keep adds (those that are kept already stay as
// they are), Drop removes.
type Changes struct {
	Keep []*Version
	Drop []int
}

// Store keeps flows or modules, with their versions.
type Store interface {
	resource.Store[*Flow]
	// Commit is Create of a flow whose Version is 0, else Update, together with what becomes of its versions: all of it or
	// nothing.
	Commit(ctx context.Context, f *Flow, c Changes) error
	// FlowVersion is one version. errs.NotFound.
	FlowVersion(ctx context.Context, instanceID, flowID string, number int) (*Version, error)
	// FlowVersions lists versions, newest first, without content: at most limit, and only below before if that is not 0.
	// It is empty for a flow that does not exist.
	FlowVersions(ctx context.Context, instanceID, flowID string, before, limit int) ([]*Version, error)
}

// Qualifiers behind the id or ARN of a flow, as in "<id>:$SAVED". Others are a number, and for modules an alias.
const (
	QualifierSaved  = "$SAVED"
	QualifierLatest = "$LATEST"
)

// SplitRef parts a reference from its qualifier: "<id>:3", an ARN that ends in ":$SAVED". Only ids and ARNs have one; a
// name may have a colon of its own, so that it is left whole.
func SplitRef(ref string) (base, qualifier string) {
	if strings.HasPrefix(ref, "arn:") {
		slash := strings.LastIndexByte(ref, '/')
		id, qualifier, _ := strings.Cut(ref[slash+1:], ":")
		return ref[:slash+1] + id, qualifier
	}
	if id, qualifier, ok := strings.Cut(ref, ":"); ok && uuid.Validate(id) == nil {
		return id, qualifier
	}
	if name, ok := strings.CutSuffix(ref, ":"+QualifierLatest); ok {
		return name, QualifierLatest
	}
	return ref, ""
}

// versionNumber reads a qualifier that is a number.
func versionNumber(qualifier string) (int, bool) {
	n, err := strconv.Atoi(qualifier)
	return n, err == nil && n > 0 && strconv.Itoa(n) == qualifier
}

// maxVersionDescription is the room for the description of a version.
const maxVersionDescription = 500

func newVersion(number int, content, description string, at time.Time) (*Version, error) {
	if n := utf8.RuneCountInString(description); n > maxVersionDescription || !utf8.ValidString(description) ||
		strings.ContainsRune(description, 0) {
		return nil, errs.Field("Description", "must have at most %d characters", maxVersionDescription)
	}
	return &Version{Number: number, Content: content, SHA256: HashOf(content), Description: description, CreatedAt: at}, nil
}

// HashOf is the SHA-256 of content in hexadecimal, as the service calls it FlowContentSha256.
func HashOf(content string) string {
	sum := sha256.Sum256([]byte(content))
	return hex.EncodeToString(sum[:])
}

// current is what the flow published last as a version: databases of before there were versions hold no other copy.
func (f *Flow) current() *Version {
	return &Version{
		Number: f.PublishedVersion, Content: f.Published, SHA256: HashOf(f.Published), Description: f.VersionDescription,
		CreatedAt: f.PublishedAt,
	}
}

// Edition is one state of a flow to look at: its draft, or a version.
type Edition struct {
	Flow        *Flow
	Status      Status
	Content     string
	Number      int // 0 for a draft
	Description string
	At          time.Time
}

// Edition gives the state that a reference names: "<id>" and "<id>:$LATEST" what was published last, "<id>:$SAVED" the
// draft, "<id>:3" a version, "<id>:alias" of a module. errs.NotFound; ErrNotPublished in its chain when it is only that.
func (s *Service) Edition(ctx context.Context, instanceID, ref string) (*Edition, error) {
	base, qualifier := SplitRef(ref)
	f, err := s.find(ctx, instanceID, base, s.store.Get)
	if err != nil {
		return nil, err
	}
	if qualifier == QualifierSaved {
		return &Edition{Flow: f, Status: Saved, Content: f.Content, At: f.ModifiedAt}, nil
	}
	v, err := s.version(ctx, f, qualifier)
	if err != nil {
		return nil, err
	}
	return &Edition{Flow: f, Status: Published, Content: v.Content, Number: v.Number, Description: v.Description, At: v.CreatedAt}, nil
}

// version is the version of f that a qualifier names.
func (s *Service) version(ctx context.Context, f *Flow, qualifier string) (*Version, error) {
	number, ok := versionNumber(qualifier)
	if alias := f.alias(qualifier); alias != nil {
		number, ok = alias.Version, true
	}
	switch {
	case f.Published == "":
		return nil, errs.Wrap(ErrNotPublished, errs.NotFound, "%s %q has not been published", f.what(), f.Name)
	case qualifier == "", qualifier == QualifierLatest, ok && number == f.PublishedVersion:
		return f.current(), nil
	case !ok && f.Type == TypeModule:
		return nil, errs.New(errs.NotFound, "module %q has no version or alias %.60q", f.Name, qualifier)
	case !ok:
		return nil, errs.New(errs.NotFound, "flow %q has no version %.60q: use a number, %s or %s", f.Name, qualifier,
			QualifierLatest, QualifierSaved)
	}
	return s.store.FlowVersion(ctx, f.InstanceID, f.ID, number)
}

// Versions lists the versions of a flow, newest first, without content. The token of the next page is "" at the end.
func (s *Service) Versions(ctx context.Context, instanceID, ref string, p resource.Page) ([]*Version, string, error) {
	f, err := s.Find(ctx, instanceID, ref)
	if err != nil {
		return nil, "", err
	}
	before := 0
	if p.Token != "" {
		var ok bool
		if before, ok = versionNumber(p.Token); !ok {
			return nil, "", errs.Field("NextToken", "is not a token that this list gave")
		}
	}
	limit := p.Max
	if limit == 0 {
		limit = 100
	}
	list, err := s.store.FlowVersions(ctx, instanceID, f.ID, before, limit+1)
	if err != nil {
		return nil, "", err
	}
	// A flow that was published before there were versions has one all the same.
	if now := f.PublishedVersion; now > 0 && (before == 0 || now < before) && (len(list) == 0 || list[0].Number != now) {
		v := f.current()
		v.Content = ""
		list = append([]*Version{v}, list...)
	}
	if len(list) > limit {
		list = list[:limit]
		return list, strconv.Itoa(list[limit-1].Number), nil
	}
	return list, "", nil
}

// PublishVersion makes a new version. With number 0 it is what was published last again, under a new number and with a
// description; with another it rolls back: that version's content becomes what contacts run, and the draft. What it is
// now is not lost: it stays a version. If sum is given it must be the hash of the content that is meant.
func (s *Service) PublishVersion(ctx context.Context, instanceID, ref string, number int, sum, description string) (*Flow, error) {
	f, err := s.Find(ctx, instanceID, ref)
	if err != nil {
		return nil, err
	}
	return s.edit(ctx, instanceID, f.ID, func(f *Flow) (Changes, error) {
		qualifier := QualifierLatest
		if number != 0 {
			qualifier = strconv.Itoa(number)
		}
		v, err := s.version(ctx, f, qualifier)
		if err != nil {
			return Changes{}, err
		}
		if sum != "" && !strings.EqualFold(sum, v.SHA256) {
			return Changes{}, errs.New(errs.InvalidRequest, "the content of %s %q has the hash %s, not the one given: it was changed meanwhile",
				f.what(), f.Name, v.SHA256)
		}
		draft := f.Content
		c, err := s.put(ctx, f, v.Content, Published, description)
		if number == 0 {
			f.Content = draft // naming a version is no reason to lose a draft
		}
		return c, err
	})
}

// DeleteVersion removes a version. errs.NotFound; errs.InvalidRequest for the one that contacts run, and for those that an alias
// of a module names. Contacts that are in it go on.
func (s *Service) DeleteVersion(ctx context.Context, instanceID, ref string, number int) error {
	f, err := s.Find(ctx, instanceID, ref)
	if err != nil {
		return err
	}
	_, err = s.edit(ctx, instanceID, f.ID, func(f *Flow) (Changes, error) {
		if number == f.PublishedVersion && f.Published != "" {
			return Changes{}, errs.New(errs.InvalidRequest, "version %d of %s %q is what contacts run: publish another first", number, f.what(), f.Name)
		}
		for _, a := range f.Aliases {
			if a.Version == number {
				return Changes{}, errs.New(errs.InvalidRequest, "version %d of module %q has the alias %q: point it elsewhere first", number, f.Name, a.Name)
			}
		}
		if _, missing := s.store.FlowVersion(ctx, instanceID, f.ID, number); missing != nil {
			return Changes{}, missing
		}
		return Changes{Drop: []int{number}}, nil
	})
	return err
}
