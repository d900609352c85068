using System.Net.Security;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using MimeKit;
using Penstock.Alerts;
using Penstock.Contracts;
using Xunit;

namespace Penstock.Tests.Alerts;

public sealed class EmailChannelTests
{
    private const string From = "penstock@example.test";
    private const string To = "ops@example.test";

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_message_goes_out_over_TLS_after_a_login()
    {
        await using var server = new MailStandIn();
        var alert = Alert.Of();

        await Channel(server).SendAsync(alert, Ct);

        var mail = Assert.Single(server.Mails);
        Assert.Empty(server.Faults);
        Assert.Equal((From, To, true, MailStandIn.User), (mail.From, mail.To, mail.Encrypted, mail.User));
        var message = Parse(mail);
        Assert.Equal("80 % of the monthly budget of project 'search' is spent", message.Subject);
        Assert.Equal((From, To), (message.From.Mailboxes.Single().Address, message.To.Mailboxes.Single().Address));
        Assert.Equal($"{alert.Id}@example.test", message.MessageId);
        Assert.Equal(Alert.At, message.Date);
        Assert.Equal("auto-generated", message.Headers["Auto-Submitted"]);
        Assert.Equal(
            ["80 % of the monthly budget of project 'search' is spent.", "", "Spent: 40.12 of 50.00 USD (80.2 %)", "Resets on 2026-12-01 (UTC).", "", "Tenant: default", $"Alert: {alert.Id}, raised 2026-11-21 12:00:00 UTC"],
            message.TextBody!.TrimEnd().Split(["\r\n", "\n"], StringSplitOptions.None));
    }

    [Fact]
    public async Task TLS_may_be_there_from_the_first_byte()
    {
        await using var server = new MailStandIn { BeginsWithTls = true };

        await Channel(server, settings => settings with { Security = MailSecurity.Tls }).SendAsync(Alert.Of(), Ct);

        Assert.Equal((true, MailStandIn.User), (Assert.Single(server.Mails).Encrypted, server.Mails[0].User));
        Assert.Empty(server.Faults);
    }

    [Fact]
    public async Task A_relay_that_trusts_this_machine_needs_neither()
    {
        await using var server = new MailStandIn { OffersTls = false, WantsLogin = false };

        await Channel(server, settings => settings with { Security = MailSecurity.None, Login = null }).SendAsync(Alert.Of(), Ct);

        Assert.Equal((false, null), (Assert.Single(server.Mails).Encrypted, server.Mails[0].User));
        Assert.Empty(server.Faults);
    }

    [Fact]
    public async Task Nothing_is_said_without_TLS_where_it_is_asked_for()
    {
        await using var server = new MailStandIn { OffersTls = false, WantsLogin = false };

        var error = await Assert.ThrowsAsync<NotSentException>(() => Channel(server).SendAsync(Alert.Of(), Ct));

        Assert.Equal("the mail server offers no STARTTLS, or no way to log in that is known here", error.Message);
        Assert.Empty(server.Mails);
        Assert.Empty(server.Faults);
    }

    [Fact]
    public async Task A_certificate_that_nobody_vouches_for_is_not_accepted()
    {
        await using var server = new MailStandIn();
        var channel = new EmailChannel(Settings(server), To, new ManualTime(Alert.At));

        Assert.Equal("the mail server's TLS or certificate is not accepted", (await Assert.ThrowsAsync<NotSentException>(() => channel.SendAsync(Alert.Of(), Ct))).Message);
        Assert.Empty(server.Mails);
    }

    [Fact]
    public async Task A_password_that_is_refused_is_in_no_error()
    {
        await using var server = new MailStandIn();
        var channel = Channel(server, settings => settings with { Login = new MailLogin(MailStandIn.User, "topsecret") });

        var error = await Assert.ThrowsAsync<NotSentException>(() => channel.SendAsync(Alert.Of(), Ct));

        // The stand-in says back what it was sent, as some servers do.
        Assert.Equal("the mail server refused the user or the password", error.Message);
    }

    [Theory]
    [InlineData("MAIL", "451 4.3.0 later", 451)]
    [InlineData("RCPT", "550 5.1.1 nobody of that name", 550)]
    [InlineData("DATA", "452 4.3.1 full", 452)]
    public async Task A_refusal_is_told_by_its_number(string verb, string answer, int number)
    {
        await using var server = new MailStandIn();
        server.Answers[verb] = answer;

        Assert.Equal($"the mail server answered {number}", (await Assert.ThrowsAsync<NotSentException>(() => Channel(server).SendAsync(Alert.Of(), Ct))).Message);
        Assert.Empty(server.Mails);
    }

    [Fact]
    public async Task A_server_that_is_not_there_is_told()
    {
        var channel = new EmailChannel(new MailServer("127.0.0.1", From) { Port = 1 }, To, new ManualTime());

        Assert.Equal("the mail server could not be reached, or broke off", (await Assert.ThrowsAsync<NotSentException>(() => channel.SendAsync(Alert.Of(), Ct))).Message);
    }

    [Fact]
    public async Task What_was_taken_is_sent_even_where_the_goodbye_fails()
    {
        await using var server = new MailStandIn();
        server.Answers["QUIT"] = "not even a number";

        await Channel(server).SendAsync(Alert.Of(), Ct);

        Assert.Single(server.Mails);
    }

    [Fact]
    public async Task A_name_adds_no_header_and_no_recipient()
    {
        await using var server = new MailStandIn();

        await Channel(server).SendAsync(Alert.Of(name: "x\r\nBcc: evil@example.test\r\n\r\n.\r\nMAIL FROM:<evil@example.test>"), Ct);

        var mail = Assert.Single(server.Mails);
        Assert.Empty(server.Faults);
        Assert.Equal((From, To), (mail.From, mail.To));
        var fields = mail.Lines.TakeWhile(line => line.Length > 0).Where(line => line[0] is not (' ' or '\t')).Select(line => line.Split(':')[0]);
        Assert.Equal(["Auto-Submitted", "Content-Type", "Date", "From", "MIME-Version", "Message-Id", "Subject", "To"], fields.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Lines_that_begin_with_a_dot_and_other_scripts_arrive_as_they_were()
    {
        await using var server = new MailStandIn();
        var name = "é" + new string('.', 99);

        await Channel(server).SendAsync(Alert.Of(name: name), Ct);

        var mail = Assert.Single(server.Mails);
        Assert.Empty(server.Faults);
        Assert.Contains(mail.Lines, line => line.StartsWith('.'));
        Assert.StartsWith($"80 % of the monthly budget of project '{name}' is spent.", Parse(mail).TextBody, StringComparison.Ordinal);
        Assert.Equal($"80 % of the monthly budget of project '{name}' is spent", Parse(mail).Subject);
    }

    private static EmailChannel Channel(MailStandIn server, Func<MailServer, MailServer>? change = null)
    {
        bool Trust(object sender, X509Certificate? certificate, X509Chain? chain, SslPolicyErrors errors) => certificate?.GetCertHashString() == server.Thumbprint;
        return new EmailChannel(change is null ? Settings(server) : change(Settings(server)), To, new ManualTime(Alert.At), Trust);
    }

    private static MailServer Settings(MailStandIn server) => new("localhost", From) { Port = server.Port, Login = new MailLogin(MailStandIn.User, MailStandIn.Password) };

    private static MimeMessage Parse(Mail mail) => MimeMessage.Load(new MemoryStream(Encoding.Latin1.GetBytes(mail.Text)));
}
