using System.Globalization;
using System.Net.Security;
using System.Net.Sockets;
using MailKit;
using MailKit.Net.Smtp;
using MailKit.Security;
using MimeKit;
using Penstock.Budgets;

namespace Penstock.Alerts;

/// <summary>A plain text message through an SMTP server.</summary>
/// <param name="trust">Judges the server's certificate; null for the system's own judgement.</param>
internal sealed class EmailChannel(MailServer server, string to, TimeProvider time, RemoteCertificateValidationCallback? trust = null) : IAlertChannel
{
    public string Name => "email";

    public async Task SendAsync(BudgetAlert alert, CancellationToken ct)
    {
        using var message = Message(alert);
        // As for https: a revocation list that cannot be reached must not silence an alert.
        using var smtp = new SmtpClient { CheckCertificateRevocation = false, ServerCertificateValidationCallback = trust };
        try
        {
            await smtp.ConnectAsync(server.Host, server.Port, Security(), ct);
            if (server.Login is { } login) await smtp.AuthenticateAsync(login.User, login.Password, ct);
            await smtp.SendAsync(message, ct);
        }
        catch (Exception e) when (Reason(e) is { } why)
        {
            throw new NotSentException(why, e);
        }

        await LeaveAsync(smtp, ct);
    }

    /// <summary>The server has the message: whatever happens now changes nothing.</summary>
    private static async Task LeaveAsync(SmtpClient smtp, CancellationToken ct)
    {
        try
        {
            await smtp.DisconnectAsync(quit: true, ct);
        }
        catch (Exception e) when (e is OperationCanceledException || Reason(e) is not null)
        {
            // Disposing closes what is left of the connection.
        }
    }

    private SecureSocketOptions Security() => server.Security switch
    {
        MailSecurity.Tls => SecureSocketOptions.SslOnConnect,
        MailSecurity.None => SecureSocketOptions.None,
        _ => SecureSocketOptions.StartTls,
    };

    /// <summary>Null where it is a bug. What the server said is not repeated: some repeat what they were sent.</summary>
    private static string? Reason(Exception e) => e switch
    {
        SmtpCommandException refused => string.Create(CultureInfo.InvariantCulture, $"the mail server answered {(int)refused.StatusCode}"),
        AuthenticationException => "the mail server refused the user or the password",
        SslHandshakeException => "the mail server's TLS or certificate is not accepted",
        NotSupportedException => "the mail server offers no STARTTLS, or no way to log in that is known here",
        SocketException or IOException or ProtocolException => "the mail server could not be reached, or broke off",
        _ => null,
    };

    private MimeMessage Message(BudgetAlert alert)
    {
        var from = MailboxAddress.Parse(server.From);
        var message = new MimeMessage
        {
            // The same at every try, so that a mailbox can tell.
            MessageId = $"{alert.Id}@{from.Domain}",
            Date = time.GetUtcNow(),
            Subject = AlertText.Title(alert),
            Body = new TextPart("plain")
            {
                Text = $"{AlertText.Title(alert)}.\r\n\r\nSpent: {AlertText.Spent(alert)}\r\n{AlertText.Resets(alert)}.\r\n\r\nTenant: {alert.Budget.Tenant}\r\nAlert: {alert.Id}, raised {alert.At.UtcDateTime:yyyy-MM-dd HH:mm:ss} UTC\r\n",
            },
        };
        message.From.Add(from);
        message.To.Add(MailboxAddress.Parse(to));
        // Nobody's holiday notice shall answer it (RFC 3834).
        message.Headers.Add("Auto-Submitted", "auto-generated");
        return message;
    }
}
