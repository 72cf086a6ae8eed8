package connect

import (
	"context"
	"slices"
	"strings"

	"ullim/internal/api/rest"
	"ullim/internal/errs"
	"ullim/internal/identity"
	"ullim/internal/resource"
	"ullim/internal/webhook"
)

func (s *service) lambdas(t *rest.Table) {
	rest.Op(t, "AssociateLambdaFunction", "PUT", "/instance/{InstanceId}/lambda-function", identity.InstanceEdit, s.associateLambda)
	rest.Op(t, "DisassociateLambdaFunction", "DELETE", "/instance/{InstanceId}/lambda-function", identity.InstanceEdit, s.disassociateLambda)
	rest.Op(t, "ListLambdaFunctions", "GET", "/instance/{InstanceId}/lambda-functions", identity.InstanceView, s.listLambdas)
}

type associateLambdaInput struct {
	InstanceID  string `json:"-" path:"InstanceId" ref:"instance"`
	FunctionARN string `json:"FunctionArn"`
	ClientToken string `json:"ClientToken,omitempty"`
}

// associateLambda makes a function of ours that stands for the ARN. It has no URL until somebody gives it one, or the
// function "*" has a pattern; doing it twice changes nothing.
func (s *service) associateLambda(ctx context.Context, c *rest.Call, in *associateLambdaInput) (*rest.Empty, error) {
	name, ok := webhook.LambdaName(in.FunctionARN)
	if !ok {
		return nil, errs.Field("FunctionArn", "must be the ARN of a Lambda function: arn:aws:lambda:REGION:ACCOUNT:function:NAME")
	}
	all, err := resource.All(ctx, s.Functions, c.Instance())
	if err != nil {
		return nil, err
	}
	for _, f := range all {
		if slices.Contains(f.ARNs, in.FunctionARN) {
			return &rest.Empty{}, nil
		}
	}
	c.Note("function_arn", in.FunctionARN)
	for _, f := range all {
		if f.Name == name { // of another region or account, or made by hand: one service stands for all of them
			_, err = resource.Edit(ctx, s.Functions, c.Instance(), f.ID, func(f *webhook.Function) error {
				if !slices.Contains(f.ARNs, in.FunctionARN) {
					f.ARNs = append(f.ARNs, in.FunctionARN)
				}
				return nil
			})
			return done(err)
		}
	}
	f := &webhook.Function{Meta: resource.Meta{InstanceID: c.Instance(), Name: name}, ARNs: []string{in.FunctionARN}}
	return done(s.Functions.Create(ctx, f))
}

type disassociateLambdaInput struct {
	InstanceID  string `json:"-" path:"InstanceId" ref:"instance"`
	FunctionARN string `json:"-" query:"functionArn"`
	ClientToken string `json:"-" query:"clientToken"`
}

// disassociateLambda takes the ARN from the function that stands for it. What was never more than an association is
// deleted.
func (s *service) disassociateLambda(ctx context.Context, c *rest.Call, in *disassociateLambdaInput) (*rest.Empty, error) {
	all, err := resource.All(ctx, s.Functions, c.Instance())
	if err != nil {
		return nil, err
	}
	c.Note("function_arn", in.FunctionARN)
	for _, f := range all {
		switch {
		case !slices.Contains(f.ARNs, in.FunctionARN):
		case f.URL == "" && len(f.ARNs) == 1:
			return done(s.Functions.Delete(ctx, c.Instance(), f.ID))
		default:
			_, err = resource.Edit(ctx, s.Functions, c.Instance(), f.ID, func(f *webhook.Function) error {
				f.ARNs = slices.DeleteFunc(f.ARNs, func(arn string) bool { return arn == in.FunctionARN })
				return nil
			})
			return done(err)
		}
	}
	return nil, errs.New(errs.NotFound, "this Lambda function is not associated with the instance")
}

type listLambdasOutput struct {
	LambdaFunctions []string `json:"LambdaFunctions"`
	NextToken       string   `json:"NextToken,omitempty"`
}

// maxLambdas is the most of one page.
const maxLambdas = 25

func (s *service) listLambdas(ctx context.Context, c *rest.Call, in *listInput) (*listLambdasOutput, error) {
	p, err := pageOf(in.MaxResults, maxLambdas, in.NextToken)
	if err != nil {
		return nil, err
	}
	all, err := resource.All(ctx, s.Functions, c.Instance())
	if err != nil {
		return nil, err
	}
	arns := []string{}
	for _, f := range all {
		arns = append(arns, f.ARNs...)
	}
	slices.Sort(arns)
	arns = slices.Compact(arns)
	from, _ := slices.BinarySearchFunc(arns, p.Token, func(arn, token string) int { // the token is the last of the page before
		if strings.Compare(arn, token) <= 0 && token != "" {
			return -1
		}
		return 1
	})
	out := &listLambdasOutput{LambdaFunctions: arns[from:min(from+p.Max, len(arns))]}
	if from+p.Max < len(arns) {
		out.NextToken = arns[from+p.Max-1]
	}
	return out, nil
}
