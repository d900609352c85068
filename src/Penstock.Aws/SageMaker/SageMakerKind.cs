using Penstock.Aws.Signing;
using Penstock.Gateway;
using Penstock.Kernel;
using Penstock.Providers.Http;

namespace Penstock.Aws.SageMaker;

/// <summary>Endpoints of SageMaker in one region, whose containers speak OpenAI's dialect (vLLM, TGI, LMI). Requests are signed: there is no other way in.</summary>
internal sealed class SageMakerKind(AwsModelOptions options, UpstreamConnections connections, ITokenCounter tokens, TimeProvider time) : IProviderKind
{
    private const string Host = "runtime.sagemaker";

    public string Kind => "sagemaker";

    public bool TakesKey => false;

    public IChatProvider Create(ProviderSettings settings)
    {
        // With a key that counts for nothing a caller would call at our cost.
        if (settings.ApiKey is not null) throw new RefusedException(Refusal.Invalid("x-penstock-provider-key", $"Provider '{settings.Name}' takes no key: its requests are signed with this server's AWS credentials. Leave the key out."));
        var known = settings with { BaseUrl = AwsRuntime.AddressOf(settings, options.SageMakerEndpoint, Host, options.Region) };
        var region = known.BaseUrl.Host.Split('.') is ["runtime", "sagemaker", var its, "amazonaws", ..] ? its : options.Region ?? "us-east-1";
        var access = new AwsAccess(settings.Name, region, "sagemaker", null, options.Credentials, time);
        return new SageMakerProvider(known, new Upstream(known, connections, time), access, tokens, time);
    }
}
