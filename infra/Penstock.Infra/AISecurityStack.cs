using Amazon.CDK;
using Amazon.CDK.AWS.Cognito;
using Constructs;

namespace Penstock.Infra;

/// <summary>Who may sign in: a Cognito user pool whose tokens the gateway accepts once the outputs stand in its <c>issuers</c>.</summary>
internal sealed class AISecurityStack : Stack
{
    /// <summary>Shortest password, in characters.</summary>
    public const int ShortestPassword = 12;

    private static readonly (string Scope, string Description)[] Scopes = [("ai:complete", "Call models"), ("ai:embed", "Make embeddings"), ("agent:run", "Run agents")];

    public AISecurityStack(Construct scope, string id, DeploySettings settings)
        : base(scope, id, new StackProps { Description = "Penstock: who may sign in" })
    {
        var users = new UserPool(this, "Users", new UserPoolProps
        {
            UserPoolName = settings.Name,
            SelfSignUpEnabled = false,
            SignInAliases = new SignInAliases { Email = true },
            PasswordPolicy = new PasswordPolicy
            {
                MinLength = ShortestPassword,
                RequireLowercase = true,
                RequireUppercase = true,
                RequireDigits = true,
                RequireSymbols = true,
                TempPasswordValidity = Duration.Days(3),
            },
            Mfa = Mfa.OPTIONAL,
            MfaSecondFactor = new MfaSecondFactor { Otp = true, Sms = false },
            AccountRecovery = AccountRecovery.EMAIL_ONLY,
            DeletionProtection = settings.KeepsData,
            RemovalPolicy = settings.KeepsData ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
        });
        var scopes = Scopes.Select(known => new ResourceServerScope(new ResourceServerScopeProps { ScopeName = known.Scope, ScopeDescription = known.Description })).ToArray();
        var server = users.AddResourceServer("Gateway", new UserPoolResourceServerOptions { Identifier = "penstock", Scopes = scopes });

        // Services call with their own credentials; a token lives no longer than an internal call may need it.
        var services = users.AddClient("Services", new UserPoolClientOptions
        {
            GenerateSecret = true,
            OAuth = new OAuthSettings
            {
                Flows = new OAuthFlows { ClientCredentials = true },
                Scopes = [.. scopes.Select(granted => OAuthScope.ResourceServer(server, granted))],
            },
            AccessTokenValidity = Duration.Minutes(15),
            EnableTokenRevocation = true,
        });
        users.AddDomain("Domain", new UserPoolDomainOptions
        {
            CognitoDomain = new CognitoDomainOptions { DomainPrefix = Fn.Join("-", [settings.Name, Account]) },
        });

        _ = new CfnOutput(this, "Issuer", new CfnOutputProps { Value = users.UserPoolProviderUrl, Description = "The issuer to name in the gateway's configuration." });
        _ = new CfnOutput(this, "ServicesClientId", new CfnOutputProps { Value = services.UserPoolClientId, Description = "The client id that tokens of services carry." });
    }
}
