using Penstock.Configuration;

namespace Penstock.Alerts;

/// <summary>Who is told of alerts, beside what the environment names.</summary>
internal sealed record AlertOptions
{
    public IReadOnlyList<WebhookTarget> Webhooks { get; init; } = [];

    /// <summary>Through which e-mail goes; null where none does.</summary>
    public MailServer? Smtp { get; init; }
}

internal sealed record WebhookTarget(string Name, Uri Url, HookSecret Secret);

internal enum MailSecurity
{
    /// <summary>Begins plain and must turn to TLS before anything is said; usual on port 587.</summary>
    StartTls,

    /// <summary>TLS from the first byte; usual on port 465.</summary>
    Tls,

    /// <summary>Plain: for a relay that trusts this machine.</summary>
    None,
}

internal sealed record MailServer(string Host, string From)
{
    public int Port { get; init; } = 587;

    public MailSecurity Security { get; init; } = MailSecurity.StartTls;

    /// <summary>Null where the server asks for none.</summary>
    public MailLogin? Login { get; init; }

    /// <summary>Without the password.</summary>
    public override string ToString() => FormattableString.Invariant($"{Host}:{Port}");
}

internal sealed record MailLogin(string User, string Password)
{
    /// <summary>Without the password.</summary>
    public override string ToString() => User;
}
