package connect

import (
	"context"
	"strings"

	"ullim/internal/api/rest"
	"ullim/internal/errs"
	"ullim/internal/identity"
	"ullim/internal/recording"
	"ullim/internal/resource"
)

// Places are the buckets that the operator offers.
type Places interface {
	// Own is the bucket of who has chosen none.
	Own() string
	// Allowed refuses a bucket that is not offered, or a key where there are none.
	Allowed(bucket, kmsKey string) error
}

func (s *service) storage(t *rest.Table) {
	const one = "/instance/{InstanceId}/storage-config/{AssociationId}"
	rest.Op(t, "AssociateInstanceStorageConfig", "PUT", "/instance/{InstanceId}/storage-config", identity.InstanceEdit, s.associateStorage)
	rest.Op(t, "ListInstanceStorageConfigs", "GET", "/instance/{InstanceId}/storage-configs", identity.InstanceView, s.listStorage)
	rest.Op(t, "DescribeInstanceStorageConfig", "GET", one, identity.InstanceView, s.describeStorage)
	rest.Op(t, "UpdateInstanceStorageConfig", "POST", one, identity.InstanceEdit, s.updateStorage)
	rest.Op(t, "DisassociateInstanceStorageConfig", "DELETE", one, identity.InstanceEdit, s.disassociateStorage)
}

type encryptionConfig struct {
	EncryptionType string `json:"EncryptionType"`
	KeyID          string `json:"KeyId"`
}

type s3Config struct {
	BucketName       string            `json:"BucketName"`
	BucketPrefix     string            `json:"BucketPrefix"`
	EncryptionConfig *encryptionConfig `json:"EncryptionConfig,omitempty"`
}

type storageConfig struct {
	AssociationID            string           `json:"AssociationId,omitempty"`
	StorageType              string           `json:"StorageType"`
	S3Config                 *s3Config        `json:"S3Config,omitempty"`
	KinesisVideoStreamConfig rest.Unsupported `json:"KinesisVideoStreamConfig,omitzero"`
	KinesisStreamConfig      rest.Unsupported `json:"KinesisStreamConfig,omitzero"`
	KinesisFirehoseConfig    rest.Unsupported `json:"KinesisFirehoseConfig,omitzero"`
}

func storageOf(c *recording.StorageConfig) storageConfig {
	out := storageConfig{AssociationID: c.ID, StorageType: "S3", S3Config: &s3Config{BucketName: c.Bucket, BucketPrefix: c.Prefix}}
	if c.KMSKeyID != "" {
		out.S3Config.EncryptionConfig = &encryptionConfig{EncryptionType: "KMS", KeyID: c.KMSKeyID}
	}
	return out
}

// applyStorage checks what is asked for against what the operator offers, and whose the prefix is.
func (s *service) applyStorage(ctx context.Context, in *storageConfig, c *recording.StorageConfig) error {
	switch {
	case in.StorageType != "S3":
		return errs.Field("StorageConfig.StorageType", "must be S3: others are not supported")
	case in.S3Config == nil:
		return errs.Field("StorageConfig.S3Config", "is required")
	}
	c.Bucket, c.Prefix, c.KMSKeyID = in.S3Config.BucketName, strings.Trim(in.S3Config.BucketPrefix, "/"), ""
	if e := in.S3Config.EncryptionConfig; e != nil {
		if e.EncryptionType != "KMS" || e.KeyID == "" {
			return errs.Field("StorageConfig.S3Config.EncryptionConfig", "must have the EncryptionType KMS and a KeyId")
		}
		c.KMSKeyID = e.KeyID
	}
	if err := c.Validate(); err != nil {
		return err
	}
	if err := s.Places.Allowed(c.Bucket, c.KMSKeyID); err != nil {
		return err
	}
	instance, err := s.Instances.Get(ctx, c.InstanceID, c.InstanceID)
	if err != nil {
		return err
	}
	return c.CheckOwner(instance.Name)
}

type associateStorageInput struct {
	InstanceID    string         `json:"-" path:"InstanceId" ref:"instance"`
	ResourceType  string         `json:"ResourceType"`
	StorageConfig *storageConfig `json:"StorageConfig"`
	ClientToken   string         `json:"ClientToken,omitempty"`
}

type associateStorageOutput struct {
	AssociationID string `json:"AssociationId"`
}

// associateStorage sets the place of one sort of file; a second one of the same sort is refused, as in the service.
func (s *service) associateStorage(ctx context.Context, c *rest.Call, in *associateStorageInput) (*associateStorageOutput, error) {
	v := &recording.StorageConfig{Meta: resource.Meta{InstanceID: c.Instance(), Name: in.ResourceType}}
	if err := s.applyStorage(ctx, in.StorageConfig, v); err != nil {
		return nil, err
	}
	if err := s.StorageConfigs.Create(ctx, v); err != nil {
		if errs.Is(err, errs.Duplicate) {
			err = errs.Wrap(err, errs.Conflict, "the instance has a storage configuration for %s already: update it", in.ResourceType)
		}
		return nil, err
	}
	c.Note("association_id", v.ID)
	return &associateStorageOutput{AssociationID: v.ID}, nil
}

type listStorageInput struct {
	InstanceID   string `json:"-" path:"InstanceId" ref:"instance"`
	ResourceType string `json:"-" query:"resourceType"`
	MaxResults   int    `json:"-" query:"maxResults"`
	NextToken    string `json:"-" query:"nextToken"`
}

type listStorageOutput struct {
	StorageConfigs []storageConfig `json:"StorageConfigs"`
	NextToken      string          `json:"NextToken,omitempty"`
}

func (s *service) listStorage(ctx context.Context, c *rest.Call, in *listStorageInput) (*listStorageOutput, error) {
	if _, err := pageOf(in.MaxResults, 10, in.NextToken); err != nil {
		return nil, err
	}
	if in.ResourceType == "" {
		return nil, errs.Field("resourceType", "is required")
	}
	out := &listStorageOutput{StorageConfigs: []storageConfig{}}
	v, err := s.StorageConfigs.GetByName(ctx, c.Instance(), in.ResourceType)
	if errs.Is(err, errs.NotFound) {
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	out.StorageConfigs = append(out.StorageConfigs, storageOf(v))
	return out, nil
}

type storageInput struct {
	InstanceID    string `json:"-" path:"InstanceId" ref:"instance"`
	AssociationID string `json:"-" path:"AssociationId" ref:"storage-config"`
	ResourceType  string `json:"-" query:"resourceType"`
}

// storageConfigOf finds a configuration; one of another sort than the caller says is not there.
func (s *service) storageConfigOf(ctx context.Context, c *rest.Call, id, resourceType string) (*recording.StorageConfig, error) {
	v, err := s.StorageConfigs.Get(ctx, c.Instance(), id)
	if err == nil && resourceType == "" {
		err = errs.Field("resourceType", "is required")
	}
	if err == nil && v.Name != resourceType {
		err = errs.New(errs.NotFound, "there is no storage configuration %q for %s", id, resourceType)
	}
	return v, err
}

type describeStorageOutput struct {
	StorageConfig storageConfig `json:"StorageConfig"`
}

func (s *service) describeStorage(ctx context.Context, c *rest.Call, in *storageInput) (*describeStorageOutput, error) {
	v, err := s.storageConfigOf(ctx, c, in.AssociationID, in.ResourceType)
	if err != nil {
		return nil, err
	}
	return &describeStorageOutput{StorageConfig: storageOf(v)}, nil
}

type updateStorageInput struct {
	InstanceID    string         `json:"-" path:"InstanceId" ref:"instance"`
	AssociationID string         `json:"-" path:"AssociationId" ref:"storage-config"`
	ResourceType  string         `json:"-" query:"resourceType"`
	StorageConfig *storageConfig `json:"StorageConfig"`
	ClientToken   string         `json:"ClientToken,omitempty"`
}

// updateStorage changes where new files go; what is stored stays where it is, and is found there.
func (s *service) updateStorage(ctx context.Context, c *rest.Call, in *updateStorageInput) (*rest.Empty, error) {
	if _, err := s.storageConfigOf(ctx, c, in.AssociationID, in.ResourceType); err != nil {
		return nil, err
	}
	_, err := resource.Edit(ctx, s.StorageConfigs, c.Instance(), in.AssociationID, func(v *recording.StorageConfig) error {
		return s.applyStorage(ctx, in.StorageConfig, v)
	})
	return done(err)
}

func (s *service) disassociateStorage(ctx context.Context, c *rest.Call, in *storageInput) (*rest.Empty, error) {
	if _, err := s.storageConfigOf(ctx, c, in.AssociationID, in.ResourceType); err != nil {
		return nil, err
	}
	return done(s.StorageConfigs.Delete(ctx, c.Instance(), in.AssociationID))
}
