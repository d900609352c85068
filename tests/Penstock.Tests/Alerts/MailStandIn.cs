using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Penstock.Tests.Alerts;

/// <param name="Lines">Of the message, as they stood before dots were doubled.</param>
internal sealed record Mail(string From, string To, bool Encrypted, string? User, IReadOnlyList<string> Lines)
{
    public string Text => string.Join("\r\n", Lines);
}

/// <summary>
/// A mail server on a real socket that is as strict as RFC 5321 lets it be: commands in order, lines that end with CRLF and are at most 1000 bytes,
/// nothing said before TLS, mail only from those who logged in. What a client does wrong is in <see cref="Faults"/>.
/// </summary>
internal sealed class MailStandIn : IAsyncDisposable
{
    public const string User = "penstock";
    public const string Password = "p4ss wörd";

    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _end = new();
    private readonly X509Certificate2 _certificate = MakeCertificate();
    private readonly List<Task> _running = [];
    private readonly Task _accepting;
    private readonly Lock _lock = new();
    private readonly List<Mail> _mails = [];
    private readonly List<string> _faults = [];

    public MailStandIn()
    {
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    public string Thumbprint => _certificate.Thumbprint;

    public bool OffersTls { get; init; } = true;

    /// <summary>TLS from the first byte.</summary>
    public bool BeginsWithTls { get; init; }

    public bool WantsLogin { get; init; } = true;

    /// <summary>Answers of its own by verb, such as <c>RCPT</c>; an empty one is silence.</summary>
    public IDictionary<string, string> Answers { get; } = new Dictionary<string, string>();

    public IReadOnlyList<Mail> Mails
    {
        get { lock (_lock) return [.. _mails]; }
    }

    public IReadOnlyList<string> Faults
    {
        get { lock (_lock) return [.. _faults]; }
    }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        _listener.Stop();
        await _accepting;
        await Task.WhenAll(_running);
        _certificate.Dispose();
        _end.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true) _running.Add(ServeAsync(await _listener.AcceptTcpClientAsync(_end.Token)));
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException)
        {
            // The end.
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        using (client)
        {
            try
            {
                await using var session = new MailSession(this, client.GetStream());
                await session.RunAsync(_end.Token);
            }
            catch (Exception e) when (e is OperationCanceledException or IOException or System.Security.Authentication.AuthenticationException)
            {
                // The client left, or did not like the certificate.
            }
        }
    }

    internal Task<SslStream> EncryptAsync(Stream stream, CancellationToken ct) => EncryptAsync(new SslStream(stream), ct);

    internal void Keep(Mail mail)
    {
        lock (_lock) _mails.Add(mail);
    }

    internal void Fault(string what)
    {
        lock (_lock) _faults.Add(what);
    }

    private async Task<SslStream> EncryptAsync(SslStream stream, CancellationToken ct)
    {
        await stream.AuthenticateAsServerAsync(new SslServerAuthenticationOptions { ServerCertificate = _certificate }, ct);
        return stream;
    }

    private static X509Certificate2 MakeCertificate()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256);
        var now = TimeProvider.System.GetUtcNow();
        return request.CreateSelfSigned(now.AddDays(-1), now.AddDays(1));
    }
}

/// <summary>One connection to the stand-in.</summary>
internal sealed class MailSession(MailStandIn server, Stream connection) : IAsyncDisposable
{
    private const int LongestLine = 1000;

    private Stream _stream = connection;
    private bool _greeted;
    private bool _encrypted;
    private string? _user;
    private string? _from;
    private string? _to;

    public async Task RunAsync(CancellationToken ct)
    {
        if (server.BeginsWithTls) await EncryptAsync(ct);
        await SayAsync("220 localhost ESMTP stand-in", ct);
        while (await LineAsync(ct) is { } line)
        {
            var verb = line.Split(' ', ':')[0].ToUpperInvariant();
            if (server.Answers.TryGetValue(verb, out var answer))
            {
                if (answer.Length == 0) await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, ct);
                await SayAsync(answer, ct);
                continue;
            }

            if (verb == "QUIT")
            {
                await SayAsync("221 2.0.0 bye", ct);
                return;
            }

            await AnswerAsync(verb, line, ct);
        }
    }

    public ValueTask DisposeAsync() => _stream.DisposeAsync();

    private Task AnswerAsync(string verb, string line, CancellationToken ct) => verb switch
    {
        "EHLO" => GreetAsync(ct),
        "STARTTLS" when _greeted && server.OffersTls && !_encrypted => TurnToTlsAsync(ct),
        "AUTH" when _greeted && _encrypted && _user is null => LogInAsync(line, ct),
        "MAIL" when _greeted && _from is null && (_user is not null || !server.WantsLogin) && Path(line, "MAIL FROM:") is { } from => TakeAsync(() => _from = from, ct),
        "RCPT" when _from is not null && _to is null && Path(line, "RCPT TO:") is { } to => TakeAsync(() => _to = to, ct),
        "DATA" when _to is not null => ReadMailAsync(ct),
        _ => RefuseAsync(line, ct),
    };

    private async Task GreetAsync(CancellationToken ct)
    {
        _greeted = true;
        if (server.OffersTls && !_encrypted) await SayAsync("250-localhost\r\n250 STARTTLS", ct);
        else if (_encrypted) await SayAsync("250-localhost\r\n250 AUTH PLAIN LOGIN", ct);
        else await SayAsync("250 localhost", ct);
    }

    private async Task TurnToTlsAsync(CancellationToken ct)
    {
        await SayAsync("220 go ahead", ct);
        await EncryptAsync(ct);
        // What was said before TLS counts no more (RFC 3207).
        _greeted = false;
    }

    private async Task EncryptAsync(CancellationToken ct)
    {
        _stream = await server.EncryptAsync(_stream, ct);
        _encrypted = true;
    }

    private async Task LogInAsync(string line, CancellationToken ct)
    {
        var parts = line.Split(' ');
        if (parts.Length == 3 && parts[1] == "PLAIN" && Encoding.UTF8.GetString(Convert.FromBase64String(parts[2])).Split('\0') is [_, MailStandIn.User, MailStandIn.Password])
        {
            _user = MailStandIn.User;
            await SayAsync("235 2.7.0 welcome", ct);
        }
        else
        {
            await SayAsync($"535 5.7.8 not you, {line}", ct);
        }
    }

    private async Task TakeAsync(Action note, CancellationToken ct)
    {
        note();
        await SayAsync("250 2.1.0 ok", ct);
    }

    private async Task ReadMailAsync(CancellationToken ct)
    {
        await SayAsync("354 go on", ct);
        var lines = new List<string>();
        while (await LineAsync(ct) is { } line && line != ".")
        {
            if (line.StartsWith('.') && !line.StartsWith("..", StringComparison.Ordinal)) server.Fault($"a dot that is not doubled: {line}");
            lines.Add(line.StartsWith('.') ? line[1..] : line);
        }

        server.Keep(new Mail(_from!, _to!, _encrypted, _user, lines));
        (_from, _to) = (null, null);
        await SayAsync("250 2.0.0 taken", ct);
    }

    private async Task RefuseAsync(string line, CancellationToken ct)
    {
        server.Fault($"out of order or unknown: {line}");
        await SayAsync("503 5.5.1 not now", ct);
    }

    /// <summary>Null where the client has left.</summary>
    private async Task<string?> LineAsync(CancellationToken ct)
    {
        var bytes = new List<byte>();
        var one = new byte[1];
        while (await _stream.ReadAsync(one, ct) == 1)
        {
            bytes.Add(one[0]);
            if (bytes is [.., (byte)'\r', (byte)'\n'])
            {
                if (bytes.Count > LongestLine) server.Fault($"a line of {bytes.Count} bytes");
                if (bytes.Any(b => b > 0x7f)) server.Fault("a byte that is not ASCII, and 8BITMIME was not offered");
                return Encoding.Latin1.GetString([.. bytes[..^2]]);
            }

            if (one[0] == (byte)'\n' || bytes is [.., (byte)'\r', _]) server.Fault("a line end that is not CRLF");
        }

        return null;
    }

    private async Task SayAsync(string text, CancellationToken ct) => await _stream.WriteAsync(Encoding.ASCII.GetBytes(text + "\r\n"), ct);

    private static string? Path(string line, string command) =>
        line.StartsWith(command + "<", StringComparison.OrdinalIgnoreCase) && line.IndexOf('>', StringComparison.Ordinal) is > 0 and var end ? line[(command.Length + 1)..end] : null;
}
