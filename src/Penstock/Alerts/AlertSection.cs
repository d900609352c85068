using Penstock.Configuration;
using Penstock.Kernel;

namespace Penstock.Alerts;

/// <summary>The section <c>alerts</c>: <c>{webhooks: {name: {url, secret}}, smtp: {host, port, security, user, password, from}}</c>.</summary>
internal sealed class AlertSection : IConfigSection
{
    private const int LongestName = 64;
    private const int LongestHost = 253;

    private static readonly string[] Securities = ["starttls", "tls", "none"];

    public AlertOptions Current { get; private set; } = new();

    public IReadOnlyList<string> Names { get; } = ["alerts"];

    public Action Read(ConfigRead file)
    {
        var options = new AlertOptions();
        if (file.Section("alerts") is { } section)
        {
            file.Try<object?>(() => { section.AllowOnly("webhooks", "smtp"); return null; }, null);
            options = new AlertOptions
            {
                Webhooks = ReadWebhooks(file, section),
                Smtp = file.Try(() => section.Optional("smtp") is { } smtp ? ReadServer(smtp) : null, null),
            };
        }

        return () => Current = options;
    }

    private static List<WebhookTarget> ReadWebhooks(ConfigRead file, JsonView section)
    {
        var targets = new List<WebhookTarget>();
        foreach (var (name, entry) in file.Try(() => section.Optional("webhooks")?.Members().ToArray() ?? [], []))
        {
            if (file.Try(() => ReadWebhook(name, entry), null) is { } target) targets.Add(target);
        }

        return targets;
    }

    private static WebhookTarget ReadWebhook(string name, JsonView entry)
    {
        if (name.Length is 0 or > LongestName || !name.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-')) throw entry.Bad($"must be named by 1 to {LongestName} letters, digits, '.', '_' or '-'");
        entry.AllowOnly("url", "secret");
        return new WebhookTarget(name, HookUrl.Read(entry.Required("url")), HookSecret.Read(entry.Required("secret")));
    }

    private static MailServer ReadServer(JsonView smtp)
    {
        smtp.AllowOnly("host", "port", "security", "user", "password", "from");
        var server = new MailServer(smtp.Required("host").ShortText(LongestHost), ReadAddress(smtp.Required("from")));
        server = server with
        {
            Port = smtp.Optional("port")?.Whole(1, 65_535) ?? server.Port,
            Security = smtp.Optional("security") is { } security ? (MailSecurity)Array.IndexOf(Securities, security.OneOf(Securities)) : server.Security,
            Login = ReadLogin(smtp),
        };
        if (server.Login is not null && server.Security == MailSecurity.None && !IsHere(server.Host)) throw smtp.Bad("must have 'security' starttls or tls: a password would go out readable");
        return server;
    }

    private static MailLogin? ReadLogin(JsonView smtp) => (smtp.Optional("user"), smtp.Optional("password")) switch
    {
        (null, null) => null,
        ({ } user, { } password) => new MailLogin(user.NonEmptyText(), SecretText.Read(password)),
        _ => throw smtp.Bad("must have both 'user' and 'password', or neither"),
    };

    private static string ReadAddress(JsonView text) => EnvironmentKeys.Mail().IsMatch(text.Text()) ? text.Text() : throw text.Bad("must be an e-mail address");

    private static bool IsHere(string host) => host == "localhost" || (System.Net.IPAddress.TryParse(host, out var address) && System.Net.IPAddress.IsLoopback(address));
}
